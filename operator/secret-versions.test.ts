import { expect, it } from 'vitest'
import { SecretVersions, versionOf } from './secret-versions.ts'

const secret = (data: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'a', namespace: 'system' },
  data,
})
const [first, second] = [secret({ password: 'first' }), secret({ password: 'second' })]

it('changes with the content', () => {
  const versions = new SecretVersions()
  const stamped = versions.stamp(first, undefined)
  expect(versionOf(stamped)).toMatch(/^[0-9a-f-]{36}$/)
  expect(versionOf(versions.stamp(second, stamped))).not.toBe(versionOf(stamped))
})

it('is what another process gave to the same content', () => {
  const live = new SecretVersions().stamp(first, undefined)
  const { metadata } = live
  const labelled = { ...live, metadata: { ...metadata, labels: { restored: 'yes' }, resourceVersion: '9' } }
  expect(new SecretVersions().stamp(first, labelled)).toEqual(live)
  expect(versionOf(new SecretVersions().stamp(second, live))).not.toBe(versionOf(live))
})

it('is kept when the Secret was edited or deleted by hand, and when an older one is still seen', () => {
  const versions = new SecretVersions()
  const old = versions.stamp(first, undefined)
  const wanted = versions.stamp(second, old)
  for (const live of [undefined, secret({ password: 'evil' }), old, { ...second }])
    expect(versions.stamp(second, live)).toEqual(wanted)
  versions.forget({ namespace: 'system', name: 'a' })
  expect(versionOf(versions.stamp(second, undefined))).not.toBe(versionOf(wanted))
})
