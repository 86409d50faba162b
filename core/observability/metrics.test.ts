import { expect, it } from 'vitest'
import { createMetrics } from './metrics.ts'

it('begins with the metrics of Node, all under our name', async () => {
  const text = await createMetrics().metrics()
  expect(text).toContain('carillon_nodejs_eventloop_lag_p99_seconds')
  expect(text).toContain('carillon_process_resident_memory_bytes')
  expect(text.split('\n').filter((line) => line && !/^(# (HELP|TYPE) )?carillon_/.test(line))).toEqual([])
})
