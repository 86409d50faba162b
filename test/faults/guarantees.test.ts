import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { allFaults } from './all.ts'

const root = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const page = read('docs/reliability.md')
const guarantees = [...page.matchAll(/^## (G\d): /gm)].map(([, name]) => name!)
const titles = globSync('{core,workers,api-server,test}/**/*.test.ts', { cwd: root })
  .flatMap((path) => [...read(path).matchAll(/\b(?:describe|it|test)\S*?\(\s*[`'"]([^\n]*)/g)])
  .map(([, title]) => title!)
const tried = new Set(allFaults(1).flatMap((fault) => fault.guarantees as string[]))

describe('docs/reliability.md', () => {
  it('has six guarantees', () => {
    expect(guarantees).toEqual(['G1', 'G2', 'G3', 'G4', 'G5', 'G6'])
  })

  it.each(guarantees)('%s is in the title of a test, and a fault tries it', (guarantee) => {
    expect(titles.filter((title) => new RegExp(`\\b${guarantee}\\b`).test(title))).not.toEqual([])
    expect(tried).toContain(guarantee)
  })
})
