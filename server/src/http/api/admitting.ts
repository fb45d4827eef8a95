import type { Context } from 'hono'
import type { Authority } from '../../auth/authority.ts'
import type { Permit } from '../../auth/grant.ts'
import type { Deed } from '../../auth/rights.ts'
import { CoeditError } from '../../common/errors.ts'
import type { Author } from '../../document/subscriber.ts'
import type { Admission } from '../admission.ts'
import { bearerIn } from '../credentials.ts'
import type { Env } from '../routes.ts'

/** Resolves with who it is, where that is known. Rejects as `Admission` does, and with FORBIDDEN where the access does not suffice. */
export async function admit(
  c: Context<Env>,
  name: string,
  access: Permit['access'],
  admission: Admission,
): Promise<string | undefined> {
  const { incoming, outgoing } = c.env
  const lease = await admission.admit(admission.knock(incoming, outgoing, name), () => undefined)
  if (access === 'write' && lease?.permit.access !== 'write') {
    throw new CoeditError('FORBIDDEN', 'the token allows to read alone')
  }
  return lease?.permit.user
}

/** Resolves and rejects as `Admission.knock` and `Authority.authorizeDeed` do. */
export async function admitFor(
  c: Context<Env>,
  name: string,
  deed: Deed,
  { admission, authority }: { readonly admission: Admission; readonly authority: Authority },
): Promise<string | undefined> {
  admission.knock(c.env.incoming, c.env.outgoing, name)
  return authority.authorizeDeed(bearerIn(c.req.header('authorization')), deed, name)
}

/** Who writes, within the limits of a document, and is answered that all of it is done, or nothing. */
export function service(user: string | undefined): Author {
  const writer = user === undefined ? undefined : { name: user, isClaimed: false }
  return { isLimited: true, isAllOrNothing: true, writer }
}
