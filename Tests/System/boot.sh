#!/bin/sh
# Process 1 of new namespaces: turns a throw-away copy of this machine's file system into the root and
# becomes its systemd. Started by machine.py as `boot.sh FOLDER`; FOLDER/exchange is /run/host inside.
set -eu

folder=$1
disk=$folder/disk
root=$disk/root

# 1. The root: what is on this machine, with every write going to memory.
mount -t tmpfs -o mode=755 machine "$disk"
mkdir "$disk/upper" "$disk/work" "$root"
chmod 755 "$disk/upper"
mount -t overlay -o "lowerdir=/,upperdir=$disk/upper,workdir=$disk/work" machine "$root"
if mountpoint -q /usr; then mount --bind -o ro /usr "$root/usr"; fi
cd "$root"
mount -t tmpfs -o mode=755,nosuid,nodev run run
mount -t tmpfs -o mode=1777,nosuid,nodev tmp tmp
mount -t tmpfs -o mode=1777,nosuid,nodev tmp var/tmp
mount -t proc -o nosuid,nodev,noexec proc proc
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup

# 2. /proc/sys belongs to the host, but for the private network's settings.
mount --bind proc/sys proc/sys
mount --bind proc/sys/net proc/sys/net
mount -o remount,bind,ro proc/sys

# 3. Devices: those that every program may expect.
mount -t tmpfs -o mode=755,nosuid dev dev
for node in null zero full random urandom tty; do
    : >"dev/$node"
    mount --bind "/dev/$node" "dev/$node"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666,mode=620,nosuid,noexec devpts dev/pts
mount -t tmpfs -o mode=1777,nosuid,nodev shm dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for n in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${n%:*}" "dev/${n#*:}"; done

# 4. None of this machine's own services, and of systemd's only what a small machine needs.
rm -rf etc/systemd/system etc/fstab usr/lib/systemd/system-generators
mkdir -p etc/systemd/system run/systemd/journald.conf.d run/systemd/system.conf.d
keep() { # keep TARGET UNIT…: of what a target pulls in, only these
    target=$1
    shift
    for unit in "usr/lib/systemd/system/$target.wants/"*; do
        case " $* " in *" ${unit##*/} "*) ;; *) rm -f "$unit" ;; esac
    done
}
keep sysinit.target systemd-journald.service systemd-tmpfiles-setup.service
keep sockets.target systemd-journald.socket systemd-journald-dev-log.socket
keep local-fs.target
keep timers.target
rm -f etc/machine-id
od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >etc/machine-id
printf '[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\nForwardToSyslog=no\n' >run/systemd/journald.conf.d/machine.conf
printf '[Manager]\nDefaultTimeoutStartSec=20s\nDefaultTimeoutStopSec=20s\n' >run/systemd/system.conf.d/machine.conf

# 5. Move in.
mkdir run/host run/before
mount --bind "$folder/exchange" run/host
pivot_root . run/before
cd /
umount -l /run/before
rmdir /run/before
# Credentials and private mounts of services rely on shared propagation.
mount --make-rshared /
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin container=machine \
    NOTIFY_SOCKET=/run/host/notify SYSTEMD_COLORS=0 \
    /lib/systemd/systemd --system --unit=basic.target --show-status=no
