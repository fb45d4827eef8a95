/** What programs and pages without Yjs need: one document, read and patched by HTTP. */

/** How long a server that is gone may keep somebody waiting. */
const TIMEOUT_MS = 5_000

/**
 * Patches the root of a document that has the document's name. Resolves with whether it was done: not where a `test` of it failed (409).
 * Rejects with what the server says of all else.
 *
 * @param {string | URL} server
 * @param {string} document
 * @param {unknown} patch an array of operations is a JSON Patch, an object a JSON Merge Patch
 * @param {string} [key] by which it is known, so that it is done once however often it is asked for
 */
export async function patch(server, document, patch, key) {
  const kind = Array.isArray(patch) ? 'json-patch' : 'merge-patch'
  const answer = await fetch(
    new URL(`api/documents/${encodeURIComponent(document)}/content?root=${encodeURIComponent(document)}`, server),
    {
      method: 'PATCH',
      headers: { 'content-type': `application/${kind}+json`, ...(key && { 'idempotency-key': key }) },
      body: JSON.stringify(patch),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    },
  )
  if (answer.ok || answer.status === 409) return answer.ok
  throw new Error(`${answer.status}: ${await answer.text()}`)
}

/**
 * Asks something else of the API, in JSON. Resolves with the answer; undefined where there is nothing yet (404), or already (409).
 *
 * @param {string | URL} server
 * @param {string} method
 * @param {string} path below `api/`
 * @param {unknown} [body]
 */
export async function ask(server, method, path, body) {
  const answer = await fetch(new URL(`api/${path}`, server), {
    method,
    headers: { 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  const text = await answer.text()
  if (!answer.ok && ![404, 409].includes(answer.status)) throw new Error(`${answer.status}: ${text}`)
  return answer.ok && text !== '' ? JSON.parse(text) : undefined
}
