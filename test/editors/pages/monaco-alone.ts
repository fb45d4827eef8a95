import { editor as monaco } from 'monaco-editor/esm/vs/editor/editor.api.js'
import { MonacoBinding } from 'y-monaco'
import * as Y from 'yjs'

/** Somebody's editor in a document of their own. */
function createEditor(doc: Y.Doc) {
  const parent = document.body.appendChild(document.createElement('div'))
  const editor = monaco.create(parent, { value: '', language: 'plaintext' })
  const model = editor.getModel()
  if (model === null) throw new Error('the editor has no model')
  new MonacoBinding(doc.getText('monaco'), model, new Set([editor]))
  return editor
}

/** Two documents that are given each other's updates at once, without provider and server. */
function linkedDocs(): [Y.Doc, Y.Doc] {
  const [ann, ben] = [new Y.Doc(), new Y.Doc()]
  ann.on('update', (update, origin) => origin !== ben && Y.applyUpdate(ben, update, ann))
  ben.on('update', (update, origin) => origin !== ann && Y.applyUpdate(ann, update, ben))
  return [ann, ben]
}

const [annDoc, benDoc] = linkedDocs()
const ann = createEditor(annDoc)
const ben = createEditor(benDoc)
ann.trigger('keyboard', 'type', { text: 'Ann' })
ben.setPosition({ lineNumber: 1, column: 1 })
ben.trigger('keyboard', 'type', { text: 'Ben and ' })
const typed = ann.getValue()
ann.trigger('keyboard', 'undo', null)
document.title = `${typed} -> ${ann.getValue()}`
