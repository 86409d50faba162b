import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const root = join(import.meta.dirname, '../..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')

it('every code that a problem may have is in the documentation, with its status, and no other', () => {
  const answered = globSync('api-server/**/*.ts', { cwd: root, exclude: ['**/*.test.ts'] })
    .flatMap((file) => [...read(file).matchAll(/status: (\d{3}|statusCode),\s+code: '(\w+)'/g)])
    .map(([, status, code]) => `${status === 'statusCode' ? '400' : status} ${code}`)
  const documented = [...read('docs/concepts/sending.md').matchAll(/^\| (\d{3}) \| (.*?) \|/gm)].flatMap(
    ([, status, codes]) => [...codes!.matchAll(/\w+/g)].map(([code]) => `${status} ${code}`),
  )
  expect(documented.length).toBeGreaterThan(15)
  expect(new Set(documented)).toEqual(new Set(answered))
})
