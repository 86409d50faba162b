import { expect, test } from 'vitest'
import { encodeEvent, eventStatuses, type StatusChange } from '../../../core/events/delivery-event.ts'
import { deliveryReport } from './delivery-report.ts'
import { openTerminal } from './terminal.ts'

const change: StatusChange = {
  id: '01234567-89ab-8def-8123-456789abcdef',
  notification: 'ntf_x',
  namespace: 'default',
  channel: 'sms',
  type: 'sms',
  status: 'failed',
  reason: 'provider_rejected',
  attempt: 1,
  replay: 0,
}

function report(change: StatusChange, timestamp = 1_000): string[] {
  const lines: string[] = []
  const terminal = { ...openTerminal(process.stdout), line: (text: string) => void lines.push(text) }
  const take = deliveryReport({ url: 'http://localhost:1', since: 1_000, terminal })
  const { topic, key, value, headers = {} } = encodeEvent('p', change, 0)
  take({ topic, key, value, headers, partition: 0, offset: 0, timestamp })
  return lines
}

test('what did not arrive is told with the reason and the place where the rest stands', () => {
  expect(report(change)).toEqual([
    '! sms failed: provider_rejected http://localhost:1/v1/notifications/ntf_x',
  ])
  expect(report({ ...change, status: 'retrying', reason: null })).toEqual([
    '! sms is tried again http://localhost:1/v1/notifications/ntf_x',
  ])
})

test('what arrived, was cancelled or has only begun is no news', () => {
  const told = Object.keys(eventStatuses).filter(
    (status) => report({ ...change, status: status as StatusChange['status'], reason: null }).length > 0,
  )
  expect(told).toEqual(['retrying', 'failed', 'skipped', 'expired', 'unknown', 'dead_lettered'])
})

test('what happened before this start is no news', () => {
  expect(report(change, 999)).toEqual([])
})
