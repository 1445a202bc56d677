#!/bin/bash
# Torque: qsub -v PROGRAM="program.py arguments" submit_files/torque.sh
# Without a program it checks the pool. For PBS Pro and OpenPBS take pbs.sh.
#
# qsub reads the lines that begin with #PBS; take one # from ##PBS to use it.

#PBS -N scoop_mpi
#PBS -l nodes=2:ppn=2
#PBS -l walltime=00:10:00
#PBS -j oe
#PBS -V
##PBS -l pmem=2gb
##PBS -q NAME
##PBS -A NAME

# nodes, ppn: hosts, and slots on each; one slot is the broker's, the others are workers.
# walltime: hours:minutes:seconds. -V: the job gets the environment of this shell.

# What your site needs to find Python and MPI, like:
# module load python openmpi
# source ~/venv/bin/activate

cd "$PBS_O_WORKDIR" || exit
# shellcheck disable=SC2086 # PROGRAM is several words
exec "${PYTHON:-python3}" -m scoop_mpi "$@" $PROGRAM
