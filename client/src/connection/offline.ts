// What only matters without a server is loaded apart, and only for those who say who they are.
export { keepCopy } from './offline-copy.ts'
export { Tabs } from './tabs.ts'
