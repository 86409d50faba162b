import type { Catalog } from '../../core/catalog/catalog.ts'
import type { RequestEnvelope } from '../../core/notification/envelope.ts'
import { type FieldError, fieldError } from '../http/problem.ts'
import type { CheckData } from './check-data.ts'
import { chooseChannels, reaches } from './choose-channels.ts'
import type { SendRequest } from './send-request.ts'
import { resolveContent } from './resolve-content.ts'

export interface AcceptContext {
  catalog: Catalog
  checkData: CheckData
  tenant: string
  /** Milliseconds since the epoch. */
  now: number
}

/** What the catalog settles of a request: goes into the envelope as it is. */
export type Settled = Pick<
  RequestEnvelope,
  'channels' | 'template' | 'content' | 'data' | 'category' | 'expires_at'
>

export type Acceptance =
  | { kind: 'accepted'; settled: Settled }
  | { kind: 'invalid'; errors: FieldError[] }
  /** Nothing is known yet of channels and templates. */
  | { kind: 'not_ready' }
  /** Too much waits to be checked. */
  | { kind: 'busy' }

/**
 * Judges a request, whose form is known to be right, by the catalog: whether its template exists and its data fit, and
 * which channels it uses. Changes nothing.
 */
export async function accept(
  request: SendRequest,
  { catalog, checkData, tenant, now }: AcceptContext,
): Promise<Acceptance> {
  if (!catalog.synced()) return { kind: 'not_ready' }
  const expiry = readExpiry(request.expires_at, now)
  const resolved = await resolveContent(request, catalog, checkData, tenant)
  if ('kind' in resolved) return resolved
  const early = [...expiry.errors, ...findUnusableUrls(request)]
  if (Array.isArray(resolved)) return { kind: 'invalid', errors: [...early, ...resolved] }
  const { channels, errors: channelErrors } = chooseChannels(request, resolved, catalog, tenant)
  const unreached = channelErrors.length > 0 ? [] : findUnreached(request, channels)
  const errors = [...early, ...resolved.errors, ...channelErrors, ...unreached]
  if (errors.length > 0) return { kind: 'invalid', errors }
  const used = channels.filter(({ type }) => request.to.some((recipient) => reaches(type, recipient)))
  return {
    kind: 'accepted',
    settled: {
      ...resolved.settled,
      channels: used.map(({ name }) => name),
      ...(expiry.at !== undefined && { expires_at: expiry.at }),
    },
  }
}

/** The last time of RFC 3339, whose years have four digits: PostgreSQL reads no later one as ISO 8601 writes it. */
const lastTime = Date.parse('9999-12-31T23:59:59.999Z')

function readExpiry(text: string | undefined, now: number): { at?: string; errors: FieldError[] } {
  if (text === undefined) return { errors: [] }
  const at = Date.parse(text)
  // The grammar of RFC 3339 allows what Date does not, such as a leap second.
  if (Number.isNaN(at)) return { errors: [fieldError('/expires_at', 'wrong_format', 'is no point in time')] }
  if (at <= now) return { errors: [fieldError('/expires_at', 'in_the_past', 'is in the past')] }
  // A time of the year 9999 west of Greenwich.
  if (at > lastTime) return { errors: [fieldError('/expires_at', 'too_large', 'is after the year 9999')] }
  return { at: new Date(at).toISOString(), errors: [] }
}

/** What has the form of a URL and is none, such as `http://example.com:99999/`: no worker could send there. */
function findUnusableUrls({ to }: SendRequest): FieldError[] {
  return to.flatMap(({ webhook_url: url }, index) =>
    url === undefined || URL.canParse(url)
      ? []
      : [fieldError(`/to/${index}/webhook_url`, 'wrong_format', 'is no URL')],
  )
}

function findUnreached(
  { to }: SendRequest,
  channels: ReturnType<typeof chooseChannels>['channels'],
): FieldError[] {
  return to.flatMap((recipient, index) =>
    channels.some(({ type }) => reaches(type, recipient))
      ? []
      : [fieldError(`/to/${index}`, 'no_channel', 'none of the channels reaches this kind of recipient')],
  )
}
