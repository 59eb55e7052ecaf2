"""Which file systems several machines may share, by the system's own list of mounts."""

from pathlib import Path

import psutil
import pytest

from palo import memory
from palo.errors import MissingResource
from palo.files import network_file_system
from palo.memory import TranslationMemory

# Lines in the very form that the kernel prints for each type, blanks and backslashes in octal.
MOUNTS = r"""
/dev/nvme0n1p2 / ext4 rw,relatime,errors=remount-ro 0 0
tmpfs /dev/shm tmpfs rw,nosuid,nodev 0 0
auto.home /home autofs rw,relatime,fd=5,pgrp=1,timeout=300,minproto=5,maxproto=5,indirect 0 0
nas01:/export/home /home/ana nfs4 rw,relatime,vers=4.2,rsize=1048576,wsize=1048576,hard 0 0
10.0.0.1@tcp:10.0.0.2@tcp:/scratch /lustre/scratch lustre rw,flock,user_xattr,lazystatfs 0 0
gpfs0 /gpfs/gpfs0 gpfs rw,relatime 0 0
beegfs_nodev /mnt/beegfs beegfs rw,relatime,cfgFile=/etc/beegfs/beegfs-client.conf 0 0
//win/share /mnt/my\040share cifs rw,relatime,vers=3.1.1,cache=strict,username=ana 0 0
ana@host:/data /mnt/ssh fuse.sshfs rw,nosuid,nodev,relatime,user_id=1000,group_id=1000 0 0
fuse-overlayfs /var/lib/box fuse.fuse-overlayfs rw,nodev,noatime,user_id=0,group_id=0 0 0
/dev/sdb1 /home/ana/local xfs rw,relatime,attr2,inode64,logbufs=8 0 0
nas01:/export/old /mnt/twice nfs rw,vers=3 0 0
/dev/sdc1 /mnt/twice ext4 rw,relatime 0 0
/dev/sdd1 /mnt/back\134slash btrfs rw 0 0
""".lstrip()


@pytest.fixture(autouse=True)
def mounts(tmp_path, monkeypatch):
    (tmp_path / "proc" / "self").mkdir(parents=True)
    path = tmp_path / "proc" / "self" / "mounts"
    path.write_text(MOUNTS, "utf-8")
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path / "proc"))
    memory._check_place.cache_clear()
    return path


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/srv/palo", None),
        ("/home/ana/palo/data", "nfs4"),
        ("/home/anand", None),  # another name, no folder inside; autofs itself holds no files
        ("/home/ana/local/palo", None),
        ("/lustre/scratch/ana", "lustre"),
        ("/lustre/scratchy", None),
        ("/gpfs/gpfs0", "gpfs"),
        ("/mnt/beegfs/x", "beegfs"),
        ("/mnt/my share/x", "cifs"),
        ("/mnt/ssh/x/y", "fuse.sshfs"),
        ("/var/lib/box/x", None),
        ("/mnt/twice", None),
        ("/mnt/back\\slash/x", None),
    ],
)
def test_the_innermost_mount_says_it(place, kind):
    assert network_file_system(Path(place)) == kind


@pytest.fixture
def shared(tmp_path, mounts):
    folder = tmp_path / "my data"
    line = f"nas:/x {str(folder).replace(' ', chr(92) + '040')} nfs4 rw 0 0\n"
    mounts.write_text(MOUNTS + line, "utf-8")
    return folder


def test_a_memory_on_a_shared_file_system_is_warned_of_once(shared, capfd):
    for lang in ("ur", "fr"):
        TranslationMemory(shared / f"{lang}.sqlite").close()
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"WARNING: The translation memories in {shared} lie on a file system of")
    assert "type nfs4" in line and "Set memory_dir" in line


def test_in_an_array_of_jobs_it_is_refused(shared, monkeypatch):
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "7")
    with pytest.raises(MissingResource, match=r"type nfs4.*Set memory_dir"):
        TranslationMemory(shared / "ur.sqlite")


def test_a_local_one_is_not_spoken_of(tmp_path, capfd):
    TranslationMemory(tmp_path / "ur.sqlite").close()
    TranslationMemory.existing(tmp_path / "none.sqlite").close()
    assert capfd.readouterr().err == ""
