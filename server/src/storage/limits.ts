/** How long a key of a write is known, in milliseconds. */
export const WRITE_KEY_MS = 24 * 60 * 60 * 1000

/** Keys that are known of a document, and of all deletions together. */
export const MAX_WRITE_KEYS = 1000

/** Named versions that a document may have. */
export const MAX_NAMED_VERSIONS = 1000

/** Characters that are kept of why somebody could not be told. */
export const MAX_REASON_LENGTH = 200
