import { connect } from '../../../client/src/connection/connect.ts'

/** Edits the document that a message names from inside of a worker, and answers when that is stored. */
addEventListener('message', async (event: MessageEvent) => {
  const { url, document, port } = event.data
  const connection = connect({ url, document, user: { id: 'ann', name: 'Ann' } })
  await connection.whenSynced
  connection.text.insert(0, 'from a worker')
  await connection.flush()
  port.postMessage('stored')
})
