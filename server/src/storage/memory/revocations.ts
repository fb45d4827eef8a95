import type { Unfollow } from '../document-store.ts'
import type { RevocationStore, StoredRevocation } from '../revocation-store.ts'
import type { MemoryAccess } from './access.ts'

/** The revocations in a database. */
export class MemoryRevocations implements RevocationStore {
  readonly #access: MemoryAccess

  constructor(access: MemoryAccess) {
    this.#access = access
  }

  loadRevocations(): Promise<readonly StoredRevocation[]> {
    return this.#access.run(() => [...this.#access.database.revocations.values()].sort((a, b) => a.time - b.time))
  }

  storeRevocations(revocations: readonly StoredRevocation[], forgotten: readonly string[]): Promise<void> {
    return this.#access.run(() => {
      for (const target of forgotten) this.#access.database.revocations.delete(target)
      for (const revocation of revocations) this.#access.database.revocations.set(revocation.target, revocation)
      this.#access.tellOthers(this.#access.database.revocationFollowers)
    })
  }

  followRevocations(onChange: () => void): Unfollow {
    return this.#access.followTable(this.#access.database.revocationFollowers, onChange)
  }
}
