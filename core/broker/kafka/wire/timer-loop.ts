import { RequestQueue } from '../kafkajs.ts'

let stopped = false

/**
 * kafkajs 2.2.4 keeps a timer of 1 ms running on every connection for ever, because "not throttled" is a negative delay (its issue
 * 1751): about 4 % of a core for an idle process. With nothing pending there is nothing to check; a request that comes is sent at once.
 */
export function stopTimerLoop(): void {
  if (stopped) return
  stopped = true
  const { prototype } = RequestQueue
  const schedule = prototype.scheduleCheckPendingRequests
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0) schedule.call(this)
  }
}
