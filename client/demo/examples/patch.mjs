/** What programs and pages without Yjs need: one document, read and patched by HTTP. */

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
    },
  )
  if (answer.ok || answer.status === 409) return answer.ok
  throw new Error(`${answer.status}: ${await answer.text()}`)
}
