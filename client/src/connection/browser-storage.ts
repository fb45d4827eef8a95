/**
 * What a person's data in this browser is called: databases and channels of one server, document and user. The user
 * comes first, so that all of one user's can be found; JSON, so that no part can pass for two.
 */
export function storageName(userId: string, address: string, room: string): string {
  return `coedit:${JSON.stringify([userId, address, room])}`
}

/** To be called when an offline copy is made: Firefox before 126 does not tell which databases there are. */
export function rememberCopy(name: string): void {
  if (!listsDatabases()) localStorage.setItem(name, '')
}

/**
 * Deletes all offline copies of a user in this browser, as one does at logout. Connections that are still open go on
 * without a copy. Rejects when the browser fails to.
 */
export async function clearOffline(userId: string): Promise<void> {
  const prefix = storageName(userId, '', '').slice(0, -'"",""]'.length)
  const databases = listsDatabases() ? await indexedDB.databases() : []
  const names = [...databases.map(({ name = '' }) => name), ...Object.keys(globalThis.localStorage ?? {})]
  await Promise.all(names.filter((name) => name.startsWith(prefix)).map(deleteCopy))
}

async function deleteCopy(name: string): Promise<void> {
  await deleteDatabase(name)
  globalThis.localStorage?.removeItem(name)
}

function listsDatabases(): boolean {
  return 'databases' in indexedDB
}

function deleteDatabase(name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(name)
    request.onsuccess = () => resolve()
    request.onerror = () => reject(request.error)
  })
}
