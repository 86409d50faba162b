import { Registry } from 'prom-client'
import { expect, it } from 'vitest'
import { staticCatalog } from '../../test/harness/fakes/static-catalog.ts'
import { createApiMetrics, forgetDeletedChannels } from './metrics.ts'

it('forgets what it counted of a channel that is gone, and of no other', async () => {
  const registry = new Registry()
  const catalog = staticCatalog({ channels: { kept: 'email' } })
  let tell: (key: string) => void = () => {}
  const metrics = createApiMetrics(registry)
  forgetDeletedChannels(metrics, {
    channel: catalog.channel,
    onChange(listener) {
      tell = listener
      return () => {}
    },
  })
  for (const channel of ['kept', 'gone']) metrics.accepted.inc({ namespace: 'default', channel })
  for (const key of ['kept', 'gone']) tell(`NotificationChannel/default/${key}`)
  tell('NotificationTemplate/default/kept')
  const text = await registry.getSingleMetricAsString('carillon_accepted_total')
  expect(text.split('\n').filter((line) => line.startsWith('carillon'))).toEqual([
    'carillon_accepted_total{namespace="default",channel="kept"} 1',
  ])
})
