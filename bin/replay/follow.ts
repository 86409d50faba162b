import type { Clock, Timers } from '../../core/clock.ts'
import { sleep } from '../../core/clock.ts'
import { ApiAway } from '../api-client.ts'
import type { ReplayApi, ReplayState } from './api.ts'

export interface FollowOptions {
  api: Pick<ReplayApi, 'read'>
  /** Standard output: a line that changes on a terminal, a line now and then anywhere else. */
  output: { isTTY?: boolean; write(text: string): unknown }
  clock: Clock & Timers
}

/** Milliseconds between looks, between lines where there is no terminal, and for which an API may be away. */
const lookEvery = 500
const lineEvery = 5_000
const patience = 60_000

const isOver = ({ status }: ReplayState) => status !== 'pending' && status !== 'running'

/** Shows the progress of a replay until it stops, or the signal is aborted; answers how it stood last. */
export async function followReplay(
  id: string,
  { api, output, clock }: FollowOptions,
  signal: AbortSignal,
): Promise<ReplayState> {
  let lastLine = -Infinity
  let answered = clock.monotonic()
  let state: ReplayState | undefined

  for (;;) {
    try {
      state = await api.read(id)
      answered = clock.monotonic()
    } catch (error) {
      // The replay does not need us, nor this API server.
      const waited = clock.monotonic() - answered
      if (!(error instanceof ApiAway) || waited > patience || (signal.aborted && !state)) throw error
    }
    if (state !== undefined) {
      const line = progressOf(state)
      if (output.isTTY) output.write(`\r\u001b[2K${line}`)
      else if (clock.monotonic() - lastLine >= lineEvery) {
        lastLine = clock.monotonic()
        output.write(`${line}\n`)
      }
      if (isOver(state) || signal.aborted) {
        if (output.isTTY) output.write('\r\u001b[2K')
        return state
      }
    }
    await sleep(clock, lookEvery, signal)
  }
}

function progressOf({ id, status, replayed, skipped, remaining, rate }: ReplayState): string {
  const time = status === 'running' && remaining > 0 ? `, ${durationOf(remaining / rate)} or more to go` : ''
  return `${id} ${status}: ${replayed} replayed, ${skipped} skipped, ${remaining} remaining${time}`
}

/** One line of what became of it. */
export function summaryOf({ id, status, reason, replayed, skipped, skipped_reasons }: ReplayState): string {
  const reasons = Object.entries(skipped_reasons).map(([name, count]) => `${count} ${name}`)
  const left = skipped > 0 ? `${skipped} skipped (${reasons.join(', ')})` : '0 skipped'
  return `${id} ${status}: ${replayed} replayed, ${left}${reason === undefined ? '' : `; ${reason}`}`
}

function durationOf(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`
  return seconds < 3_600 ? `${Math.ceil(seconds / 60)} min` : `${(seconds / 3_600).toFixed(1)} h`
}
