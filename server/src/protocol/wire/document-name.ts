import { CoeditError } from '../../common/errors.ts'

/**
 * The document that a WebSocket path names: everything after the mount prefix and its slash, percent-decoded once. An
 * escape that decodes to nothing stays as it is: clients do not encode, so a document "100%" exists.
 */
export function nameFromPath(path: string): string {
  return path.replace(/^\//, '').replace(/(?:%[0-9a-f]{2})+/gi, decodeOr)
}

/** @throws CoeditError DOCUMENT_NAME where no document can be called so. */
export function checkName(name: string, maxBytes: number): void {
  // Code around the server may lack what types ask for: all of it would share a document that is called "undefined".
  if (typeof name !== 'string') throw invalid(`is no text, but ${name}`)
  if (name === '') throw invalid('is empty')
  const bytes = Buffer.byteLength(name)
  if (bytes > maxBytes) throw invalid(`has ${bytes} bytes, expected at most ${maxBytes}`)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f-\u009f]/.test(name)) throw invalid('holds a control character')
  if (name.split('/').some((segment) => segment === '.' || segment === '..')) throw invalid('holds a dot segment')
}

function decodeOr(escapes: string): string {
  try {
    return decodeURIComponent(escapes)
  } catch {
    return escapes
  }
}

function invalid(problem: string): CoeditError {
  return new CoeditError('DOCUMENT_NAME', `the document name ${problem}`)
}
