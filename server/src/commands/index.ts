import { backup } from './backup.ts'
import type { Command } from './command.ts'
import { copy } from './copy.ts'
import { deleteDocument } from './delete.ts'
import { exportDocument } from './export.ts'
import { importDocuments } from './import.ts'
import { importYLeveldb } from './import-yleveldb.ts'
import { list } from './list.ts'
import { migrate } from './migrate.ts'
import { repair } from './repair.ts'

export type { Command } from './command.ts'

/** What `coedit` does beside serving. */
export const commands: readonly Command[] = [
  list,
  exportDocument,
  deleteDocument,
  backup,
  copy,
  importDocuments,
  importYLeveldb,
  repair,
  migrate,
]
