/// <reference lib="dom" />

/** Runs in a browser: shows on the root element the text that the event stream in the hash of the page's URL rebuilds. */
let text = ''
let resets = 0

function show(): void {
  Object.assign(document.documentElement.dataset, { text, resets: String(resets) })
}

const events = new EventSource(location.hash.slice(1))
events.addEventListener('reset', ({ data }: MessageEvent<string>) => {
  text = JSON.parse(data)
  resets++
  show()
})
events.onmessage = ({ data }: MessageEvent<string>) => {
  for (const { index, delete: gone = 0, insert = '' } of JSON.parse(data)) {
    text = text.slice(0, index) + insert + text.slice(index + gone)
  }
  show()
}
