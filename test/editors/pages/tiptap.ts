import { showEditor } from '../page.ts'
import { createTiptap } from './tiptap-editor.ts'

showEditor(createTiptap)
