import * as hooks from '@coedit/client/react'
import { Notes } from './notes.js'

/** Rendered on the server, where the hooks may be imported although they are of the client. */
export default function Page() {
  return (
    <main title={Object.keys(hooks).join()}>
      <Notes />
    </main>
  )
}
