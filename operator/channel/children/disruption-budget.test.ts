import { expect, it } from 'vitest'
import { kinds } from '../../../core/catalog/kinds.ts'
import { selectorLabels } from '../names.ts'
import { disruptionBudget } from './disruption-budget.ts'

it('lets one worker of the channel go at a time, also when there is but one', () => {
  const metadata = { name: 'inbox', namespace: 'shop' }
  const channel = kinds.NotificationChannel.parse({
    apiVersion: 'carillon.dev/v1alpha1',
    kind: 'NotificationChannel',
    metadata,
    spec: { type: 'inapp', providers: [{ name: 'primary', type: 'inapp' }] },
  })
  expect(disruptionBudget(channel, 'carillon-system')).toMatchObject({
    metadata: { namespace: 'carillon-system' },
    spec: { maxUnavailable: 1, selector: { matchLabels: selectorLabels(metadata) } },
  })
})
