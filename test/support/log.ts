import { EventEmitter, once } from 'node:events'
import type { Log } from '../../server/src/common/log.ts'

export interface LogLine {
  readonly level: keyof Log
  readonly facts: object
  readonly message: string
}

export interface RecordingLog {
  readonly log: Log
  readonly lines: readonly LogLine[]
  /** Resolves when this message was logged so often (default: once), now or before. */
  logged(message: string, times?: number): Promise<void>
}

/** A log that keeps its lines, in order. */
export function recordingLog(): RecordingLog {
  const lines: LogLine[] = []
  const written = new EventEmitter()
  const at = (level: keyof Log) => (facts: object, message: string) => {
    lines.push({ level, facts, message })
    written.emit('line')
  }
  return {
    log: { error: at('error'), warn: at('warn'), info: at('info'), debug: at('debug') },
    lines,
    async logged(message, times = 1) {
      while (lines.filter((line) => line.message === message).length < times) await once(written, 'line')
    },
  }
}
