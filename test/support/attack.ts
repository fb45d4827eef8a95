import { startBesieged } from './besieged.ts'
import { Bystanders } from './bystanders.ts'
import { step2 } from './messages.ts'
import { connectRaw } from './raw-client.ts'
import type { Release } from './temporary.ts'

/** A document that innocents edit, and a connection to it that may send anything: its first Step2 is acknowledged. */
export async function attack(release: Release) {
  const { url, others, lines } = await startBesieged({ release })
  const there = { release, url, others, document: 'notes' }
  const bystanders = await Bystanders.join(there)
  const attacker = await connectRaw({ ...there, protocols: ['coedit.v1'] })
  await attacker.follow(step2())
  await attacker.until('its first Step2 is acknowledged', () => attacker.acknowledged === 1)
  return { lines, there, bystanders, attacker }
}
