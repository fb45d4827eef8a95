import type { EventOutput } from './event-output.ts'

/** One kind of events in a stream, for one reader. */
export interface Source {
  /** Prepares what the answer depends on. Rejects with why there is no stream. */
  prepare(): Promise<void>
  /**
   * Begins to write.
   * @param onEnd to be called when it cannot go on; with an error, where the log is to be told
   */
  begin(output: EventOutput, onEnd: (error?: unknown) => void): void
  /** The output is no longer full. */
  resume(): void
  end(): void
}
