import { stat } from 'node:fs/promises'
import { relative, resolve, sep } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { watch } from 'chokidar'
import type { Logger } from '../observability/logger.ts'
import type { ManifestProblem } from '../resources/manifest.ts'
import { type FolderRules, type FolderState, nextState } from './folder-state.ts'
import { readManifestFiles } from './manifest-files.ts'
import type { Resource } from './records.ts'

/** What a folder of manifests says. */
export interface FolderContent {
  /** Valid resources, in order of their keys in the catalog. One with a bad edit is here as it was before. */
  resources: Resource[]
  problems: ManifestProblem[]
}

export interface FolderOptions extends FolderRules {
  /** A folder, read with all that is below it, or a single file. */
  directory: string
  logger: Logger
  /** Called once before `openFolder` resolves, and when the resources or the problems have changed. */
  onChange: (content: FolderContent) => void
}

export interface Folder {
  /** Stops watching. `onChange` is not called afterwards. */
  close(): Promise<void>
}

/** Milliseconds without an event until the folder is read: editors and `git checkout` save in several steps. */
const settleTime = 150

/**
 * Reads the manifests of a folder (`*.yaml`, `*.yml`, `*.json`) and follows their changes. Hidden files are passed over: they are
 * editors' drafts, and in a mounted ConfigMap second copies. Rejects when the folder cannot be read at first; what fails later is logged
 * and tried again with the next change.
 */
export async function openFolder(options: FolderOptions): Promise<Folder> {
  const { directory, logger, onChange } = options
  let state: FolderState = { served: new Map(), problems: [] }
  let timer: NodeJS.Timeout | undefined
  let reading: Promise<void> | undefined
  let changed = false
  let closed = false

  const read = async () => {
    state = await nextState(await readManifestFiles(directory), state.served, options)
  }
  /** Every event only says that the whole is to be read: what is on the disk decides, not what was told about it. */
  const refresh = async () => {
    while (changed && !closed) {
      changed = false
      const before = state
      try {
        await read()
      } catch (error) {
        logger.warn({ err: error }, 'The folder of manifests cannot be read')
      }
      if (!closed && !isDeepStrictEqual(state, before)) onChange(contentOf(state))
    }
  }
  const schedule = () => {
    changed = true
    clearTimeout(timer)
    timer = setTimeout(() => {
      reading ??= refresh().finally(() => (reading = undefined))
    }, settleTime)
  }

  await stat(directory)
  const root = resolve(directory)
  // Kubernetes changes a mounted ConfigMap by replacing the link `..data`, so names with two dots are watched, though not read.
  const ignored = (path: string) =>
    relative(root, path)
      .split(sep)
      .some((name) => /^\.(?!\.)/.test(name))
  const watcher = watch(root, { ignoreInitial: true, ignored })
  watcher.on('all', schedule)
  watcher.on('error', (error) => logger.warn({ err: error }, 'The folder of manifests cannot be watched'))
  await new Promise<void>((ready) => watcher.once('ready', ready))
  try {
    await read()
  } catch (error) {
    await watcher.close()
    throw error
  }
  onChange(contentOf(state))
  return {
    async close() {
      closed = true
      clearTimeout(timer)
      await watcher.close()
      await reading
    },
  }
}

function contentOf({ served, problems }: FolderState): FolderContent {
  const sorted = [...served].toSorted(([left], [right]) => (left < right ? -1 : 1))
  return { resources: sorted.map(([, { resource }]) => resource), problems }
}
