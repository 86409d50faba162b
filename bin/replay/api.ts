import { StartRefused } from '../../core/settings/start-refused.ts'

/** What this command reads of the API's answers; the OpenAPI document has all of it. */
export interface DryRun {
  matched: number
  expired: number
  breakdown: { channel: string; reason?: string; count: number }[]
  examples: {
    delivery: string
    channel: string
    recipient: Record<string, string>
    reason?: string
    last_error?: { outcome: string; code?: string; detail?: string }
  }[]
}

export interface ReplayState {
  id: string
  status: 'pending' | 'running' | 'paused' | 'completed' | 'cancelled' | 'failed'
  reason?: string
  rate: number
  replayed: number
  skipped: number
  skipped_reasons: Record<string, number>
  remaining: number
}

export type ReplayApi = ReturnType<typeof openReplayApi>

/** The API could not be reached, or could not answer now: the same request may succeed later. */
export class ApiAway extends StartRefused {}

/** Milliseconds for one answer. */
const timeout = 30_000

/** Asks the API. Throws StartRefused with what the API says is wrong, ApiAway when it cannot be reached. */
export function openReplayApi(url: string) {
  async function ask<T>(method: 'GET' | 'POST', path: string, body?: object): Promise<T> {
    const response = await fetch(url + path, {
      method,
      signal: AbortSignal.timeout(timeout),
      ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    }).catch((error: unknown) => {
      throw new ApiAway(`${url} cannot be reached: ${causeOf(error)}`, 1, { cause: error })
    })
    const answer: unknown = await response.json().catch(() => undefined)
    if (response.ok && answer !== undefined) return answer as T
    throw refusal(url, response.status, answer)
  }

  return {
    url,
    dryRun: (filter: object) => ask<DryRun>('POST', '/v1/replays', { filter, dry_run: true }),
    create: (request: object) => ask<ReplayState>('POST', '/v1/replays', request),
    read: (id: string) => ask<ReplayState>('GET', `/v1/replays/${id}`),
    resume: (id: string) => ask<ReplayState>('POST', `/v1/replays/${id}/resume`),
    cancel: (id: string) => ask<ReplayState>('POST', `/v1/replays/${id}/cancel`),
  }
}

function causeOf(error: unknown): string {
  const { cause, name } = error as { cause?: { code?: string; message?: string }; name: string }
  return cause?.code ?? cause?.message ?? name
}

interface Problem {
  detail?: string
  errors?: { pointer?: string; detail?: string }[]
}

function refusal(url: string, status: number, answer: unknown): StartRefused {
  const { detail, errors = [] } = (answer ?? {}) as Problem
  if (status >= 500) return new ApiAway(`${url} answers ${status}: ${detail ?? 'no more is said'}`)
  if (errors.length === 0) return new StartRefused(detail ?? `${url} answers ${status}: is it a Carillon?`)
  return new StartRefused(errors.map(({ pointer, detail }) => `${pointer}: ${detail}`).join('\n'), 2)
}
