/**
 * What an application does with a server and a client, however it has got them and its Yjs. Prints as JSON what it found.
 */
module.exports = async function edit({ Y, server, client, WebSocket, data }) {
  const coedit = server.createServer({ data, port: 0, logLevel: 'silent' })
  await coedit.listen()
  const edited = await coedit
    .edit('notes', (doc) => {
      doc.getMap('settings').set('tags', Y.Array.from(['a']))
      doc.getText('content').insert(0, 'from the server')
      return doc instanceof Y.Doc
    })
    .catch(({ code, message }) => ({ code, message }))
  const embedded = await coedit
    .edit('notes', (doc) => doc.getText('embeds').insertEmbed(0, new Y.Map()))
    .then(
      () => true,
      ({ code }) => code,
    )
  const connection = client.connect({ url: coedit.url, document: 'notes', WebSocket })
  await connection.flush()
  const text = connection.text.toString()
  const isOurs = connection.doc instanceof Y.Doc
  connection.destroy()
  await coedit.close()
  const codes = [server.CoeditError, client.ClientError].map((error) => new error('X', '').code)
  const isSame = [server, client].map((module) => module.Y.Doc === Y.Doc)
  console.log(JSON.stringify({ edited, embedded, text, isOurs, isSame, codes }))
}
