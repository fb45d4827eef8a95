import { databaseNames, deleteDatabase } from './database-list.ts'

/**
 * What a person's data in this browser is called: databases and channels of one server, document and user. The user
 * comes first, so that all of one user's can be found; JSON, so that no part can pass for two.
 */
export function storageName(userId: string, address: string, room: string): string {
  return `coedit:${JSON.stringify([userId, address, room])}`
}

/**
 * Deletes all offline copies of a user in this browser, as one does at logout. Connections that are still open go on
 * without a copy. Rejects when the browser fails to.
 */
export async function clearOffline(userId: string): Promise<void> {
  const prefix = storageName(userId, '', '').slice(0, -'"",""]'.length)
  const names = await databaseNames()
  await Promise.all(names.filter((name) => name.startsWith(prefix)).map(deleteDatabase))
}
