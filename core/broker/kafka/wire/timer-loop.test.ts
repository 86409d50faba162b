import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { RequestQueue, requestQueueFile } from '../kafkajs.ts'
import { stopTimerLoop } from './timer-loop.ts'

describe('the timer loop of kafkajs', () => {
  it('is corrected in the very source that the correction was written for', () => {
    const source = readFileSync(requestQueueFile)
    expect(createHash('sha256').update(source).digest('hex')).toBe(
      'b55986089c14f8f7bfc377922e2e65b3e4c1e7c7af2752d3b10a75dfe9e9260c',
    )
  })

  it('does not run while nothing is pending', () => {
    stopTimerLoop()
    const queue = {
      pending: [] as unknown[],
      throttledUntil: -1,
      throttleCheckTimeoutId: null as NodeJS.Timeout | null,
    }
    const schedule = () =>
      RequestQueue.prototype.scheduleCheckPendingRequests.call(queue as unknown as RequestQueue)

    schedule()
    expect(queue.throttleCheckTimeoutId).toBeNull()

    queue.pending.push('a request')
    schedule()
    expect(queue.throttleCheckTimeoutId).not.toBeNull()
    clearTimeout(queue.throttleCheckTimeoutId!)
  })
})
