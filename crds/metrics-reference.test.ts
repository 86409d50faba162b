import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { metricsReference } from './metrics-reference.ts'

const root = join(import.meta.dirname, '..')
const sources = globSync('{api-server,core,deploy,operator,workers}/**/*.ts', { cwd: root }).filter(
  (file) => !file.endsWith('.test.ts'),
)

test('every metric that some process has is on the page', () => {
  const page = metricsReference()
  const names = sources.flatMap((file) =>
    [
      ...readFileSync(join(root, file), 'utf8').matchAll(
        /new (?:Counter|Gauge|Histogram)\(\{\s*name: '([^']+)'/g,
      ),
    ].map(([, name]) => name!),
  )
  expect(names.length).toBeGreaterThan(40)
  expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([])
})
