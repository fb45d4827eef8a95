/** All of coedit and Yjs in one module, for pages without a bundler. */
export * as Y from 'yjs'
export * from './element/element.ts'
export * from './index.ts'
