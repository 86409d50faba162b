import { expect, test } from 'vitest'
import { formatPath, suggestion } from './problem.ts'

test.each([
  [[], ''],
  [['spec', 'providers', 0, 'smtp', 'port'], 'spec.providers[0].smtp.port'],
  [['spec', 'providers', 0, 'two-words'], 'spec.providers[0].two-words'],
  [['spec', 'topic', 'config', 'retention.ms'], 'spec.topic.config["retention.ms"]'],
  [['spec', 'locales', 'a"b'], 'spec.locales["a\\"b"]'],
])('a path is written as %j -> %s', (path, text) => {
  expect(formatPath(path)).toBe(text)
})

test.each([
  ['provders', '; did you mean "providers"?'],
  ['Providers', '; did you mean "providers"?'],
  ['toipc', '; did you mean "topic"?'],
  ['scalling', '; did you mean "scaling"?'],
  ['xyz', ''],
  ['ytpe', '; did you mean "type"?'],
])('the nearest known name of %s', (name, expected) => {
  expect(suggestion(name, ['type', 'providers', 'topic', 'scaling'])).toBe(expected)
})
