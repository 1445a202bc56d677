#!/bin/bash
# PBS Pro, OpenPBS: qsub -v PROGRAM="program.py arguments" submit_files/pbs.sh
# Without a program it checks the pool. For Torque take torque.sh.
#
# qsub reads the lines that begin with #PBS; take one # from ##PBS to use it.

#PBS -N scoop_mpi
#PBS -l select=2:ncpus=2:mpiprocs=2:ompthreads=1
#PBS -l walltime=00:10:00
#PBS -j oe
#PBS -V
##PBS -l select=2:ncpus=2:mpiprocs=2:ompthreads=1:mem=4gb
##PBS -q NAME
##PBS -A NAME

# select: hosts; mpiprocs: slots on each (without it PBS gives one a host). One slot is
# the broker's, the others are workers. ompthreads: threads of each; without it PBS sets
# OMP_NUM_THREADS to ncpus. walltime: hours:minutes:seconds.
# -V: the job gets the environment of this shell.

# What your site needs to find Python and MPI, like:
# module load python openmpi
# source ~/venv/bin/activate

cd "$PBS_O_WORKDIR" || exit
# shellcheck disable=SC2086 # PROGRAM is several words
exec "${PYTHON:-python3}" -m scoop_mpi "$@" $PROGRAM
