// Loaded into a server before its own code: its LevelDB no longer waits for the disk. The control of the power cuts.
import { Level } from 'level'

const { _chainedBatch } = Level.prototype

Level.prototype._chainedBatch = function unsynced() {
  const batch = _chainedBatch.call(this)
  const write = batch._write
  batch._write = (options) => write.call(batch, { ...options, sync: false })
  return batch
}
