/** To be called when a database is opened: Firefox before 126 does not tell which there are. */
export function rememberDatabase(name: string): void {
  if (!isTold()) localStorage.setItem(name, '')
}

/** The names of all databases of this origin, and of other things perhaps. */
export async function databaseNames(): Promise<string[]> {
  const told = isTold() ? await indexedDB.databases() : []
  return [...told.map(({ name = '' }) => name), ...Object.keys(globalThis.localStorage ?? {})]
}

export function deleteDatabase(name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(name)
    request.onsuccess = () => {
      globalThis.localStorage?.removeItem(name)
      resolve()
    }
    request.onerror = () => reject(request.error)
  })
}

function isTold(): boolean {
  return 'databases' in indexedDB
}
