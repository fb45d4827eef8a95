/**
 * The bytes of a WebSocket message. They come as an ArrayBuffer, of another realm perhaps (jsdom, frames), as a Buffer of
 * Node where a class does not heed `binaryType`, or as a Blob, which has to be read. Undefined for text.
 */
export function bytesOf(data: unknown): Uint8Array | Promise<Uint8Array> | undefined {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  if (isArrayBuffer(data)) return new Uint8Array(data)
  if (isBlob(data)) return data.arrayBuffer().then((buffer) => new Uint8Array(buffer))
  return undefined
}

/** Every realm has a class of its own, but all of them have this tag. */
function isArrayBuffer(data: unknown): data is ArrayBuffer {
  return Object.prototype.toString.call(data) === '[object ArrayBuffer]'
}

function isBlob(data: unknown): data is Blob {
  return typeof Object(data).arrayBuffer === 'function'
}
