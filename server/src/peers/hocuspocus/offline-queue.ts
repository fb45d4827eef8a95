/**
 * When the edits that were made while the socket was down come: a provider sends them all in one go when it is sent its first
 * frame, of whatever document, and before it answers anything. So they come after its answer to a ping that went right
 * before that frame, and before its first Step2.
 */
export class OfflineQueue {
  #state: 'silent' | 'spoken' | 'mayCome' | 'over' = 'silent'

  /** Whether nothing was sent yet. */
  get isSilent(): boolean {
    return this.#state === 'silent'
  }

  /** Whether what comes now may be from there. */
  get mayCome(): boolean {
    return this.#state === 'mayCome'
  }

  get isOver(): boolean {
    return this.#state === 'over'
  }

  /**
   * To be called before anything is written.
   * @param ping resolves when the peer has answered one
   */
  spoke(ping: () => Promise<unknown>): void {
    if (this.#state !== 'silent') return
    this.#state = 'spoken'
    void ping().then(() => {
      if (this.#state === 'spoken') this.#state = 'mayCome'
    })
  }

  /** To be called for each Step2. */
  answered(): void {
    if (this.#state !== 'silent') this.#state = 'over'
  }
}
