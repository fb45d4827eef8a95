import { createLog } from '../common/log.ts'
import { systemClock } from '../common/timing.ts'
import { type Finding, type RepairOutcome, repairDatabase } from '../repair/repair.ts'
import { randomIncarnation } from '../storage/level/incarnation.ts'
import { counted, dataSchema, declareCommand, type Print } from './command.ts'
import { expectDirectory, expectRemains } from './data.ts'

export const repair = declareCommand({
  name: 'repair',
  summary: 'Make a damaged database one that can be served.',
  description:
    'Makes a new database of all that can be read of the old one, whose files are kept in a directory before-repair-… ' +
    'inside of the data directory. Names of documents are restored, and what follows a hole in a document is set aside: ' +
    'updates in quarantine are part of the document again when clients have brought what is missing. It prints what it ' +
    'found of each document that was not intact. The server must be stopped. A server that runs sets aside damaged ' +
    'records, too, but it does not start where LevelDB cannot open the database, or may end as LevelDB reads it.',
  operands: [],
  schema: dataSchema,
  async execute({ options, print }) {
    expectDirectory(options, 'PostgreSQL looks after its own files')
    const { data, logLevel } = options
    await expectRemains(data)
    const report = new Report(print)
    const context = { directory: data, clock: systemClock, log: createLog(logLevel), newIncarnation: randomIncarnation }
    const outcome = await repairDatabase(context, (finding) => report.add(finding))
    report.finish(outcome)
  },
})

/** Prints what was found of each document that was not intact, and the sums. */
class Report {
  readonly #print: Print
  #documents = 0
  #intact = 0

  constructor(print: Print) {
    this.#print = print
  }

  add(finding: Finding): void {
    this.#documents++
    if (finding.isIntact) this.#intact++
    else this.#print(`'${finding.document}': ${outcomeOf(finding)}\n`)
  }

  finish({ files, damaged, before }: RepairOutcome): void {
    this.#print(`${counted(this.#documents, 'document')}, ${this.#intact} intact\n`)
    this.#print(`${counted(files, 'file')}, ${damaged} damaged; as they were they are in ${before}\n`)
  }
}

function outcomeOf({ damaged, holes, quarantined, isLost }: Finding): string {
  if (isLost) return 'nothing is left of it'
  const losses = [
    ...(damaged > 0 ? [counted(damaged, 'damaged record')] : []),
    ...(holes > 0 ? [counted(holes, 'hole')] : []),
    ...(quarantined > 0 ? [`${counted(quarantined, 'update')} in quarantine`] : []),
  ]
  return losses.length > 0 ? losses.join(', ') : 'restored without a loss'
}
