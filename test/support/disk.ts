import { execFile } from 'node:child_process'
import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Release, temporaryDirectory } from './temporary.ts'

const run = promisify(execFile)

/** EXT4_IOC_SHUTDOWN (fs/ext4/ext4.h) with EXT4_GOING_FLAGS_NOLOGFLUSH: nothing more gets to the disk, the journal neither. */
const CUT_POWER = `
  open(my $disk, '<', $ARGV[0]) or die $!;
  my $flags = pack('L', 2);
  ioctl($disk, 0x8004587d, $flags) or die $!`

const IMAGE_SIZE = '64M'
const BLOCK = Buffer.alloc(64 * 1024)

/** A file system of its own in memory. Rejects without the right to mount one. */
export async function mountMemory(release: Release, size: string): Promise<string> {
  const mount = await temporaryDirectory(release)
  await run('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', mount])
  release(async () => void (await run('umount', [mount])))
  return mount
}

/** Writes a file until nothing more fits on its disk. */
export async function fillDisk(path: string): Promise<void> {
  const file = await open(path, 'w')
  try {
    for (;;) await file.write(BLOCK)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
  } finally {
    await file.close()
  }
}

/** An ext4 file system in a file, whose power can be cut. */
export class FragileDisk {
  /** Where it is mounted. */
  readonly directory: string
  readonly #image: string

  private constructor(image: string, directory: string) {
    this.#image = image
    this.directory = directory
  }

  /** Rejects without root, loop devices or mkfs.ext4. */
  static async mount(release: Release): Promise<FragileDisk> {
    const parent = await temporaryDirectory(release)
    const disk = new FragileDisk(join(parent, 'image'), join(parent, 'mount'))
    await run('truncate', ['-s', IMAGE_SIZE, disk.#image])
    await run('mkfs.ext4', ['-q', '-F', disk.#image])
    await mkdir(disk.directory)
    await disk.#mount()
    release(async () => void (await run('umount', [disk.directory])))
    return disk
  }

  /** Brings everything that was written to the disk. */
  async sync(): Promise<void> {
    await run('sync', ['-f', this.directory])
  }

  /** From now on every write fails, and what was not synced before is lost. */
  async cutPower(): Promise<void> {
    await run('perl', ['-e', CUT_POWER, this.directory])
  }

  /** Comes back with what was on the disk. Nobody may have a file open on it. */
  async restorePower(): Promise<void> {
    await run('umount', [this.directory])
    await this.#mount()
  }

  async #mount(): Promise<void> {
    await run('mount', ['-o', 'loop', this.#image, this.directory])
  }
}
