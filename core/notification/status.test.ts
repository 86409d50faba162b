import { describe, expect, it } from 'vitest'
import { type DeliveryStatus, deliveryStatuses, isTerminal, notificationStatus } from './status.ts'

describe('the status of a notification', () => {
  it.each<[string, DeliveryStatus[]]>([
    ['processing', ['sent', 'queued']],
    ['processing', ['failed', 'sending']],
    ['processing', ['cancelled', 'retrying']],
    ['completed', ['sent', 'simulated', 'delivered']],
    ['completed', ['sent', 'skipped', 'cancelled']],
    ['completed', ['skipped', 'skipped']],
    ['completed', ['skipped', 'cancelled']],
    // Nobody was to be reached: a user without any address of the channels, for one.
    ['completed', []],
    ['cancelled', ['cancelled', 'cancelled']],
    ['completed_with_failures', ['sent', 'failed']],
    ['completed_with_failures', ['simulated', 'dead_lettered', 'skipped']],
    ['completed_with_failures', ['delivered', 'unknown']],
    ['failed', ['failed', 'expired']],
    ['failed', ['dead_lettered', 'skipped']],
    ['failed', ['unknown', 'cancelled']],
    ['failed', ['bounced']],
  ])('is %s when its deliveries are %j', (status, deliveries) => {
    expect(notificationStatus(true, deliveries)).toBe(status)
    expect(notificationStatus(true, deliveries.toReversed())).toBe(status)
  })

  it('is accepted until it is planned', () => {
    expect(notificationStatus(false, [])).toBe('accepted')
  })
})

it('a delivery has ended when no worker has anything more to do for it', () => {
  expect(deliveryStatuses.filter((status) => !isTerminal(status))).toEqual([
    'accepted',
    'scheduled',
    'queued',
    'sending',
    'retrying',
  ])
})
