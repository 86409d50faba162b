import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Where files take minutes, the longest first. */
const slow = ['test/faults/', 'test/operator/', 'test/conformance/', 'test/simulation/', 'test/integration/']

/** Begins with what takes longest, so that no long file is left alone at the end while the other processors have nothing to do. */
export class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- no array's: it answers a new one
    const sorted = await super.sort(files)
    return sorted.toSorted((one, other) => placeOf(one) - placeOf(other))
  }
}

function placeOf({ moduleId }: TestSpecification): number {
  const place = slow.findIndex((folder) => moduleId.includes(folder))
  return place < 0 ? slow.length : place
}
