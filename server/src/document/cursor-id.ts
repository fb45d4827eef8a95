import type { Place } from './in-process.ts'

/** A place in the log as clients keep it: the id of an event, and the ETag of what was read. */
export function cursorId({ incarnation, position }: Place): string {
  return `${incarnation.toString(36)}-${position}`
}

/** The place that an id stands for; undefined for what is none. */
export function placeOf(id: string): Place | undefined {
  const [, incarnation = '', position = ''] = /^([0-9a-z]{1,11})-(\d{1,15})$/.exec(id) ?? []
  if (position === '') return undefined
  return { incarnation: Number.parseInt(incarnation, 36), position: Number(position) }
}
