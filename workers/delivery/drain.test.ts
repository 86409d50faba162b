import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { startScriptedWorker } from '../../test/harness/fakes/scripted-worker.ts'
import { staticCatalog } from '../../test/harness/fakes/static-catalog.ts'

const catalog = staticCatalog({ channels: { sms: 'sms' } })

it('a drain waits ten seconds for a store that is away, then leaves what was sent uncommitted to another worker', async () => {
  let sends = 0
  let refusals = 0
  let away = false
  const { worker, clock, partition, committed, bring } = await startScriptedWorker({
    channel: catalog.channel('default', 'sms')!.resource,
    catalog,
    ledger: {
      claim: async () => ({ kind: 'claimed', claim: 1, uncounted: 0 }),
      finish: async () => {
        if (!away) return 'recorded'
        refusals++
        throw new Error('the store is away')
      },
    },
    send: async () => {
      sends++
      return { class: 'sent' }
    },
    maxConcurrent: 10,
  })
  bring(0)
  await expect.poll(() => sends).toBe(1)
  away = true
  bring(1)
  await expect.poll(() => refusals).toBe(1)

  let stopped = false
  const stopping = worker.stop().then(() => (stopped = true))
  for (let second = 0; second < 9; second++) {
    clock.advance(1_000)
    await turn()
  }
  expect(stopped).toBe(false)
  expect(refusals).toBeGreaterThan(1)
  clock.advance(1_000)
  await stopping
  expect(sends).toBe(2)
  expect(committed).toEqual([{ ...partition, offset: 1 }])
})
