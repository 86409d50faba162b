import { chmod, cp, mkdir, mkdtemp, rm, stat, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { serverAccount } from './account.ts'
import { locateNativePackage, type NativePackage, prepareBinaries } from './binaries.ts'

// Copies 60 MB several times.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 })

/** Only root can start a program under an account that cannot enter the folder of the program. */
describe.runIf(process.getuid?.() === 0)('programs that the account cannot reach', () => {
  let base: string
  let closed: NativePackage
  const account = serverAccount('/nonexistent')

  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), 'carillon-binaries-'))
    await chmod(base, 0o755)
    const { native, version } = await locateNativePackage()
    closed = { native: join(base, 'closed', 'native'), version }
    await mkdir(join(base, 'closed'), { mode: 0o700 })
    await cp(native, closed.native, { recursive: true, verbatimSymlinks: true })
  })
  afterAll(() => rm(base, { recursive: true, force: true }))

  it('are copied once to a folder that it can reach, also with a strict umask', async () => {
    const cache = join(base, 'cache')
    const before = process.umask(0o077)
    try {
      const first = await prepareBinaries(closed, account, [cache])
      expect(first).toEqual({ folder: join(cache, `postgres-${closed.version}`, 'bin'), majorVersion: 18 })
      const { ino } = await stat(join(first.folder, 'postgres'))
      await prepareBinaries(closed, account, [cache])
      expect((await stat(join(first.folder, 'postgres'))).ino).toBe(ino)
    } finally {
      process.umask(before)
    }
  })

  it('are copied once when two processes do it together', async () => {
    const cache = join(base, 'shared')
    const [one, other] = await Promise.all([
      prepareBinaries(closed, account, [cache]),
      prepareBinaries(closed, account, [cache]),
    ])
    expect(one).toEqual(other)
  })

  it('are not taken from a folder that others may write to', async () => {
    const open = join(base, 'open')
    await mkdir(open)
    await chmod(open, 0o777)
    await expect(prepareBinaries(closed, account, [open])).rejects.toThrow(
      /cannot be started.*others may write to/,
    )
  })
})

it('are copied from a folder whose name a shell would read as something else', async () => {
  const base = await mkdtemp(join(tmpdir(), 'carillon-binaries-'))
  try {
    await chmod(base, 0o755)
    const { native, version } = await locateNativePackage()
    await symlink(native, join(base, '$HOME'))
    const odd = { native: join(base, '$HOME'), version }
    const cache = join(base, 'cache')
    const { folder } = await prepareBinaries(odd, serverAccount('/nonexistent'), [cache])
    expect(folder).toBe(join(cache, `postgres-${version}`, 'bin'))
  } finally {
    await rm(base, { recursive: true, force: true })
  }
})
