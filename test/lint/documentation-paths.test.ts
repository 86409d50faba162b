import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '../..')
const pages = globSync(['*.md', 'docs/**/*.md'], { cwd: root })
const named = /(?<![\w./-])(?:core|api-server|workers|operator|crds|deploy|test|bin|docs)\/[\w./-]*\w/g

/** What a page links to or names and nobody finds. */
function lostPaths(page: string, text: string): string[] {
  const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, path]) => join(dirname(page), path!))
  const paths = [...text.matchAll(named)].map(([path]) => path)
  return [...links, ...paths].filter((path) => !existsSync(join(root, path)))
}

describe('the documentation', () => {
  it.each(pages)('names in %s only files that are there', (page) => {
    expect(lostPaths(page, readFileSync(join(root, page), 'utf8'))).toEqual([])
  })

  it('would be caught at a link or a path that leads nowhere', () => {
    expect(lostPaths('docs/a.md', '[a](b.md) `core/nowhere.ts` and docs/README.md')).toEqual([
      'docs/b.md',
      'core/nowhere.ts',
    ])
  })
})
