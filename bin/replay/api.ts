import { askApi } from '../api-client.ts'

/** What this command reads of the API's answers; the OpenAPI document has all of it. */
export interface DryRun {
  matched: number
  expired: number
  waiting: number
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

/** Asks the API. Throws as {@link askApi} does. */
export function openReplayApi(url: string) {
  const ask = askApi(url)
  return {
    url,
    dryRun: (filter: object) => ask<DryRun>('POST', '/v1/replays', { filter, dry_run: true }),
    create: (request: object) => ask<ReplayState>('POST', '/v1/replays', request),
    read: (id: string) => ask<ReplayState>('GET', `/v1/replays/${id}`),
    resume: (id: string) => ask<ReplayState>('POST', `/v1/replays/${id}/resume`),
    cancel: (id: string) => ask<ReplayState>('POST', `/v1/replays/${id}/cancel`),
  }
}
