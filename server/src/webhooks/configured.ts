import { readFile } from 'node:fs/promises'
import { CoeditError } from '../common/errors.ts'
import { configuredWebhooks, type Webhook } from './webhook.ts'

/**
 * The webhooks of an option: JSON, or the path of a file of it. Rejects with OPTION_INVALID.
 * @param now what counts as the time of their making where they are new, in milliseconds of the epoch
 */
export async function readConfigured(option: string, now: number): Promise<readonly Webhook[]> {
  if (option.trim() === '') return []
  const text = option.trimStart().startsWith('[') ? option : await fileAt(option)
  const parsed = configuredWebhooks.safeParse(jsonIn(text))
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw invalid(`${issue?.path.join('.') || 'the list'}: ${issue?.message}`)
  }
  const webhooks = parsed.data.map((webhook) => ({ ...webhook, createdAt: now, isConfigured: true }))
  const twice = webhooks.find(({ id }, index) => webhooks.findIndex((other) => other.id === id) !== index)
  if (twice) throw invalid(`the id '${twice.id}' is there twice`)
  return webhooks
}

async function fileAt(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw invalid(`neither JSON nor a file that can be read: ${error instanceof Error ? error.message : error}`)
  }
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalid('expected JSON')
  }
}

function invalid(problem: string): CoeditError {
  return new CoeditError('OPTION_INVALID', `option webhooks: ${problem}`)
}
