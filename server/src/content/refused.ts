import type { RefusalCode } from './requests.ts'

/** Why a request is refused. It does not leave the thread as an error: those lose their class on the way. */
export class Refused extends Error {
  readonly code: RefusalCode

  constructor(code: RefusalCode, message: string) {
    super(message)
    this.code = code
  }
}

export function conflict(message: string): Refused {
  return new Refused('EDIT_CONFLICT', message)
}

/** What was seen is not there any more, or nobody knows what has become of it. */
export function outdated(problem: string): Refused {
  return new Refused('EDIT_OUTDATED', `${problem}: read the document again`)
}

export function invalid(message: string): Refused {
  return new Refused('BODY_INVALID', message)
}
